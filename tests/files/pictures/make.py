"""Makes the pictures of these tests, and what Pillow reads in them and makes of them: python3 make.py FOLDER"""
import sys
from pathlib import Path

import numpy
from PIL import Image

folder = Path(sys.argv[1])
y, x = numpy.mgrid[0:23, 0:37]
colours = numpy.stack([x * 7 % 256, y * 11 % 256, (x + y) * 4 % 256], -1).astype(numpy.uint8)
Image.fromarray(colours).save(folder / "colours.jpg", quality=60)
Image.fromarray(colours).convert("CMYK").save(folder / "inks.jpg", quality=60)
for name in ("colours", "inks"):
    numpy.save(folder / f"{name}.npy", numpy.asarray(Image.open(folder / f"{name}.jpg").convert("RGB")))

picture = Image.open(folder / "colours.jpg")
numpy.save(folder / "grey.npy", numpy.asarray(picture.convert("L")))
for width, height in ((20, 13), (61, 40)):
    resized = picture.resize((width, height), Image.Resampling.BILINEAR)
    numpy.save(folder / f"resized_{height}x{width}.npy", numpy.asarray(resized))
