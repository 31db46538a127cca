"""The documentation site: ``make docs`` builds it from the pages of this folder, without a network.

The pages stay readable on their own. Three things are added to them as they are read (`docs/site_pages.py`): pages that
live elsewhere in the repository, links to files outside this folder, and reference tables made from the code.
"""

import sys
import warnings
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import site_pages  # noqa: E402

import framecast  # noqa: E402

warnings.filterwarnings("ignore", category=DeprecationWarning)

project = "framecast"
author = "The framecast developers"
copyright = author
release = framecast.__version__
html_title = f"framecast {release}"

extensions = [
    "myst_nb",  # includes myst_parser
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
root_doc = "index"
exclude_patterns = ["README.md", "conf.py", "site_pages.py", "figures", "pictures"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False

myst_enable_extensions = ["dollarmath", "deflist", "attrs_block", "colon_fence"]
myst_heading_anchors = 4
suppress_warnings = ["mystnb.unknown_mime_type"]
copybutton_prompt_text = r"\$ "
copybutton_prompt_is_regexp = True
highlight_language = "none"  # a block without a language is output, or commands among words

# The gallery: notebooks as Python files, executed here. Those that need real data or pysteps are shown without
# their output where these are absent.
nb_custom_formats = {".py": ["jupytext.reads", {"fmt": "py:percent"}]}
nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE.parent / "build" / "docs-cache")
nb_execution_timeout = 300
nb_execution_raise_on_error = False  # it is a warning, which ends the build when all examples have run
nb_execution_in_temp = True
nb_merge_streams = True
nb_execution_excludepatterns = site_pages.not_executed()

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": False}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True


def setup(app: object) -> None:
    """Connect what is added to the pages."""
    site_pages.connect(app)
