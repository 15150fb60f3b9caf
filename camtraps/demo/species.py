"""What the demo's photos show: the kinds, how often, what each dataset calls them and what they are mistaken for."""

# Share of the animal bursts. The most frequent kind is four times as common as the rarest, as in a small survey.
SHARES = {
    "roe_deer": 0.24,
    "wild_boar": 0.17,
    "red_fox": 0.15,
    "european_hare": 0.11,
    "raccoon": 0.10,
    "fallow_deer": 0.09,
    "european_badger": 0.08,
    "common_pheasant": 0.06,
}

LATIN = {
    "roe_deer": "Capreolus capreolus",
    "wild_boar": "Sus scrofa",
    "red_fox": "Vulpes vulpes",
    "european_hare": "Lepus europaeus",
    "raccoon": "Procyon lotor",
    "fallow_deer": "Dama dama",
    "european_badger": "Meles meles",
    "common_pheasant": "Phasianus colchicus",
    "person": "Homo sapiens",
}

# The two deer are never taken for each other here: they share a class of the label specification, and a wrong label
# that changes no class could not be found by anybody.
MISTAKEN = {
    "roe_deer": ("red_fox", "european_hare", "wild_boar"),
    "wild_boar": ("european_badger", "fallow_deer", "raccoon"),
    "red_fox": ("raccoon", "european_badger", "roe_deer"),
    "european_hare": ("red_fox", "common_pheasant", "roe_deer"),
    "raccoon": ("european_badger", "red_fox"),
    "fallow_deer": ("wild_boar", "red_fox"),
    "european_badger": ("raccoon", "wild_boar"),
    "common_pheasant": ("european_hare", "raccoon"),
}

# Height of a standing one in metres, antlers and ears included: together with the camera's height it says where in
# the photo the feet are.
TALL_M = {
    "roe_deer": 1.05,
    "wild_boar": 0.85,
    "red_fox": 0.5,
    "european_hare": 0.5,
    "raccoon": 0.38,
    "fallow_deer": 1.3,
    "european_badger": 0.38,
    "common_pheasant": 0.6,
    "person": 1.75,
    "vehicle": 1.6,
}

# Lowest, usual and highest share of the photo's height that one takes up.
HEIGHTS = {
    "roe_deer": (0.12, 0.36, 0.62),
    "wild_boar": (0.10, 0.32, 0.55),
    "red_fox": (0.09, 0.26, 0.40),
    "european_hare": (0.09, 0.27, 0.48),
    "raccoon": (0.08, 0.25, 0.40),
    "fallow_deer": (0.13, 0.40, 0.62),
    "european_badger": (0.08, 0.23, 0.36),
    "common_pheasant": (0.09, 0.26, 0.40),
    "person": (0.32, 0.48, 0.62),
    "vehicle": (0.22, 0.33, 0.42),
}


def label(dataset: str, kind: str) -> str:
    """Give what a dataset calls a kind: English words in alder, Latin names in birch; empty and vehicle in both."""
    return LATIN.get(kind, kind) if dataset == "birch" else kind
