"""Pages that need nothing but themselves: no network, no fonts, no neighbours.

A page extends ``shell.html.j2``, which brings the style sheet and the player for films. It reads well on a phone, on
a dark screen, on paper, and without scripts.
"""

from typing import Any

import jinja2


def render(template: str, **content: Any) -> str:
    """Return the HTML of the template ``template`` of this package.

    Args:
        template: file name in ``templates/``.
        content: what the template asks for; ``title`` always. Text is escaped.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("framecast.reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(template).render(content)
