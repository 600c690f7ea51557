"""Lists the files of an image, which `docker save` writes to the standard input."""

import io
import json
import sys
import tarfile

image = tarfile.open(fileobj=io.BytesIO(sys.stdin.buffer.read()))
manifest = json.load(image.extractfile("manifest.json"))
for layer in manifest[0]["Layers"]:
    for member in tarfile.open(fileobj=image.extractfile(layer)):
        if not member.isdir():
            print(member.name)
