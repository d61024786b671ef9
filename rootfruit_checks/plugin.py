"""The pytest plugin, as the entry point `pytest11` names it."""

from rootfruit_checks.app.pytest.hooks import (
    pytest_addhooks,
    pytest_addoption,
    pytest_cmdline_main,
    pytest_collection_finish,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_generate_tests,
    pytest_html_results_summary,
    pytest_html_results_table_html,
    pytest_load_initial_conftests,
    pytest_runtest_makereport,
    pytest_unconfigure,
)

__all__ = [
    "pytest_addhooks",
    "pytest_addoption",
    "pytest_cmdline_main",
    "pytest_collection_finish",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_generate_tests",
    "pytest_html_results_summary",
    "pytest_html_results_table_html",
    "pytest_load_initial_conftests",
    "pytest_runtest_makereport",
    "pytest_unconfigure",
]
