"""The page that explains every disagreement of transistors and twin: ``agreement.html``."""

from codesign.report.agreement.page import agreement_page

__all__ = ["agreement_page"]
