"""Foreign formats, each an adapter at the rim: plain data in, table rows out, and back."""
