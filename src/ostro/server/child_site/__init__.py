"""A folder for the PYTHONPATH of programs that ``ostro run`` starts; ostro imports none of it.

Its modules run in the program's own Python: 3.8 or newer, standard library only, without ostro.
"""
