"""From files of records to samples for training, which come again in exactly the same order.

Three kinds of record become tokens: documents, conversations and preferences. They are written
once, as a data set on disk (:mod:`ostro.data.prepare`), and read from there for every step
(:mod:`ostro.data.loader`).
"""
