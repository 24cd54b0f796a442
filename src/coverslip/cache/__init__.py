"""The cache folder: stores of several kinds within one size limit; stores in use are never removed.

A package that caches data has a kind of store, and opens its stores through it. Only this package locks and
removes stores.
"""
