"""The compiled loops; everything else that makes the package stands in pyproject.toml."""

from setuptools import Extension, setup

setup(
    ext_modules=[Extension(
        "inspector.wire.compiled._loops", ["inspector/wire/compiled/_loops.c"],
        extra_compile_args=["-std=c11", "-O3"],
        py_limited_api=True,         # one file for Python 3.11 and all that come after it
        optional=True,               # numpy does the same where there is no compiler
    )],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
