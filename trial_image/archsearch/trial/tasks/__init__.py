"""What a child is trained on."""
