"""What is designed: codes, canonical forms, search space, child networks and their cost."""
