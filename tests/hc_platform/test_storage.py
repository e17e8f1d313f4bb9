import hashlib
import re

import pytest
from django.conf import settings
from django.core.files.storage import FileSystemStorage
from whitenoise.storage import CompressedManifestStaticFilesStorage

from hc_platform.storage import StaticStorage

VENDOR = settings.BASE_DIR / "static" / "vendor"


def packed(storage_class, folder, files: dict[str, str]) -> dict[str, str]:
    """Put files into static storage and pack them; returns what each became."""
    storage = storage_class(location=folder, base_url="/static/")
    for name, content in files.items():
        (folder / name).write_text(content)
    source = FileSystemStorage(folder)
    done = storage.post_process({name: (source, name) for name in files})
    for name, _, processed in list(done):
        if isinstance(processed, Exception):
            raise AssertionError(f"{name}: {processed}")
    return {name: (folder / storage.hashed_files[name]).read_text() for name in files}


def test_an_imported_script_is_asked_for_by_its_hashed_name(tmp_path):
    files = {"a.js": 'import { b } from "./b.js";\n', "b.js": "export const b = 1;\n"}
    done = packed(StaticStorage, tmp_path, files)
    assert re.fullmatch(r'import \{ b \} from "\./b\.[0-9a-f]{12}\.js";\n', done["a.js"])


def test_a_script_may_name_a_source_map_that_is_not_shipped(tmp_path):
    files = {"a.js": "const a = 1;\n//# sourceMappingURL=a.js.map\n"}
    assert packed(StaticStorage, tmp_path, files) == files
    with pytest.raises(AssertionError, match="could not be found"):
        packed(CompressedManifestStaticFilesStorage, tmp_path, files)


@pytest.mark.parametrize("folder", [path for path in VENDOR.iterdir() if path.is_dir()], ids=lambda p: p.name)
def test_vendored_files_are_as_their_makers_published_them(folder):
    (expected,) = re.findall(r"sha256: ([0-9a-f]{64})", (folder / "VERSION").read_text())
    (script,) = folder.glob("*.js")
    assert hashlib.sha256(script.read_bytes()).hexdigest() == expected
