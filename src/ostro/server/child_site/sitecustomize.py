"""Python imports this when it starts: it prepares Mistral's clients and lets the next one follow.

Any Python that the program starts finds it, however old: hence the syntax of Python 2.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
THIS = sys.modules.pop(__name__)

if sys.version_info >= (3, 8):
    try:
        from ostro_child import install

        install(os.environ)
    except Exception as error:
        sys.stderr.write("ostro: Mistral's clients keep their endpoint here: %r\n" % (error,))

# The program's own sitecustomize, if it has one, as if this folder were not there.
while HERE in sys.path:
    sys.path.remove(HERE)
try:
    import sitecustomize  # noqa: F401
except ImportError as error:
    sys.modules.setdefault(__name__, THIS)
    if getattr(error, "name", __name__) != __name__:
        raise
