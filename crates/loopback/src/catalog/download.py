"""Addresses of SkyPilot's catalogs, and their download as SkyPilot stores them.

usage: catalog.py addresses                     prints schema version, addresses and images as JSON
       catalog.py download FOLDER ADDRESS.. -- NAME..   of each file, from the first address that has it
"""
import ast
import hashlib
import json
import os
import re
import ssl
import sys
import urllib.error
import urllib.request

# In seconds, for a connection and for each read from it.
TIMEOUT = 20


def addresses():
    try:
        from sky.skylet import constants
        constants.CATALOG_SCHEMA_VERSION
    except (ImportError, AttributeError):
        from sky.clouds.service_catalog import constants  # Before 0.10.
    schema = constants.CATALOG_SCHEMA_VERSION
    names = ('HOSTED_CATALOG_DIR_URL', 'HOSTED_CATALOG_DIR_URL_S3_MIRROR')
    found = [getattr(constants, name) for name in names if hasattr(constants, name)]
    print(json.dumps({
        'schema': schema,
        'addresses': [f'{url}/{schema}' for url in found],
        'images': {cloud: images(cloud) for cloud in ('aws', 'kubernetes')},
    }))


def images(cloud):
    """Names of a cloud's images: the strings in its module. Importing it would take seconds."""
    import sky
    path = os.path.join(os.path.dirname(sky.__file__), 'clouds', f'{cloud}.py')
    try:
        with open(path, 'rb') as file:
            tree = ast.parse(file.read())
    except FileNotFoundError:
        return []
    strings = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    is_name = re.compile('skypilot:[A-Za-z0-9._-]+').fullmatch
    return sorted({text for text in strings if isinstance(text, str) and is_name(text)})


def certificates():
    authorities = os.environ.get('REQUESTS_CA_BUNDLE')
    if authorities is None and 'SSL_CERT_FILE' not in os.environ:
        try:
            import certifi
            authorities = certifi.where()
        except ImportError:
            pass
    return ssl.create_default_context(cafile=authorities)


def fetch(name, urls, context):
    """Content of a file; None if no address has it."""
    failure = None
    for url in urls:
        request = urllib.request.Request(f'{url}/{name}', headers={'User-Agent': 'SkyPilot/0.7'})
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT, context=context) as response:
                return response.read()
        except OSError as error:  # URLError and HTTPError are such.
            if getattr(error, 'code', None) != 404:
                failure = f'downloading {url}/{name}: {error}'
    if failure is not None:
        sys.exit(failure)
    return None


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as file:
        file.write(content)


def download(folder, urls, names):
    context = certificates()
    for name in names:
        print(f'downloading {name}', flush=True)
        content = fetch(name, urls, context)
        if content is None:
            continue
        write(f'{folder}/{name}', content)
        # A file without it would count as changed by the user.
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        write(f'{folder}/.meta/{name}.md5', md5.encode())


if sys.argv[1] == 'addresses':
    addresses()
else:
    end = sys.argv.index('--')
    download(sys.argv[2], sys.argv[3:end], sys.argv[end + 1:])
