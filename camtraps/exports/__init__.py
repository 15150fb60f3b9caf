"""Writers of foreign formats: from a collection or the outputs of stages to files that other tools read."""
