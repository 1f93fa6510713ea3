"""Ascribe under the names of other libraries, for code that was written for these.

    ascribe.compat.zennit   Zennit's rules, composites and Gradient
    ascribe.compat.captum   Captum's `attribute(inputs, target)`
    ascribe.compat.quantus  a function that Quantus' metrics call

None of them needs the library whose names it has.
"""
