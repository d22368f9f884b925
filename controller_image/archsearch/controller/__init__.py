"""The controller: hosts a strategy, samples children, learns from rewards."""
