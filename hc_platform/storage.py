"""How style sheets and scripts are packed: hashed names, also where one script imports another."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticStorage(CompressedManifestStaticFilesStorage):
    """Names change with the content, so browsers may keep every file for ever.

    Scripts may name a source map that is not shipped: vendored files stay as their makers published them.
    """

    support_js_module_import_aggregation = True
    patterns = tuple(rule for rule in CompressedManifestStaticFilesStorage.patterns if rule[0] != "*.js")
