"""Does early stopping rank blocks as longer training does, and which reward ranks best?"""
