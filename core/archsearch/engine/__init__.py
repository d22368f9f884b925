"""The engine: a ledger, and decide(), pure functions of what is."""
