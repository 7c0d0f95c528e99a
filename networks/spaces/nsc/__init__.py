"""Network Structure Codes: the blocks of BlockQNN, layer by layer."""
