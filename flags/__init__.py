"""How a command is launched: absl flags and presets, turned into frozen settings.

It knows the settings of every room and does nothing with them; only the command line may know it.
"""
