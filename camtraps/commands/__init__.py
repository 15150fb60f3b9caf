"""The commands of ``camtraps``: each module adds one to the command line."""
