"""Robustness: what parameter noise, leaks and offsets cost a trained network, of any cell."""
