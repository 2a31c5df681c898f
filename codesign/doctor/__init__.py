"""What this machine has and lacks: ngspice and its features, PDK models, Python's packages."""
