"""A trained run put to use: clips from elsewhere, through the network or its transistors."""
