from hypothesis import settings

# No limit on the time of an example, which says more about the machine than about the code.
settings.register_profile("data", deadline=None, derandomize=True)
settings.load_profile("data")
