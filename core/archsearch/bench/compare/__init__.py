"""Searches side by side: what each strategy has found after so many children, over several seeds."""
