"""What is designed: plans of networks, their operations and layers, what they cost, the child.

It must not know agents, data, training or anything else of the project.
"""
