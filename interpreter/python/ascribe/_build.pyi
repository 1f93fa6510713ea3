# Written by the build.
version: str
torch: str
