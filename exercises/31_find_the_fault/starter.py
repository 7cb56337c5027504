def faults(objects):
    """What is wrong between these Kubernetes objects: a sorted list of ["Kind/name", fault]."""
    raise NotImplementedError
