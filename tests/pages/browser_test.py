"""The pages that the command makes, opened in a browser: their scripts run, they fit, and pictures of them have what they
should have. The pictures stay in OUT, to be looked at."""
import argparse
import pathlib
import re
import subprocess

import numpy
from PIL import Image

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
DIGITS, TEXT = EXAMPLES / "digits", EXAMPLES / "text"

# page, how it is made, what the finished document has in it, whether maps are on it, and whether it is dark for those who
# like that: a text's colours have white for zero
PAGES = [
    ("digit", ["run", "--model", DIGITS / "model.pt", "--input", DIGITS / "three.npy", "--rules", "epsilon_plus",
               "--target", "3", "--heatmap", "digit.html"], "digit.html", "--cut: 50%", True, True),
    ("gallery", ["run", "--model", DIGITS / "model.pt", "--input", DIGITS / "*.npy", "--rules", "epsilon_plus",
                 "--heatmap", "maps/"], "maps/index.html", ">10 of 10</output>", True, True),
    ("text", ["run", "--model", TEXT / "model.pt2", "--input", TEXT / "praise.npy", "--tokens", TEXT / "praise.txt",
              "--rules", "cp_lrp", "--target", "1", "--heatmap", "text.html"], "text.html", "cp_lrp", True, False),
    ("doc", ["doc", "--output", "doc.html"], "doc.html", "epsilon_plus", False, True),
]
LOOKS = [("light", 1200, []), ("dark", 1200, ["--blink-settings=preferredColorScheme=0"]), ("phone", 500, [])]


class Browser:
    def __init__(self, program, out):
        self.arguments = [program, "--headless", "--disable-gpu", "--hide-scrollbars", "--no-sandbox",
                          "--disable-dev-shm-usage", "--allow-file-access-from-files", "--enable-logging=stderr",
                          f"--user-data-dir={out}/profile"]

    def open(self, page, *arguments):
        done = subprocess.run([*self.arguments, *arguments, page.resolve().as_uri()], capture_output=True, text=True, timeout=120)
        wrong = re.findall(r"CONSOLE.*(?:Uncaught|Error|Refused).*", done.stderr)
        assert not wrong, f"{page.name}: {wrong}"
        return done.stdout

    def document(self, page):
        return self.open(page, "--dump-dom")

    def picture(self, page, width, file, arguments):
        self.open(page, f"--window-size={width},1500", f"--screenshot={file}", *arguments)
        return numpy.asarray(Image.open(file).convert("RGB")).astype(int)


def width_beyond(browser, page, width, out):
    """By how many pixels the page is wider than a window."""
    frame = out / "frame.html"
    frame.write_text(
        f'<iframe id=f style="width:{width}px;height:900px" src="{page.resolve().as_uri()}"></iframe>'
        "<script>f.onload = () => document.title = 'beyond ' + (f.contentDocument.documentElement.scrollWidth - "
        f"{width})</script>")
    return int(re.search(r"<title>beyond (-?\d+)", browser.document(frame)).group(1))


def colours(picture):
    """How many pixels are plainly red, plainly blue, and how light the background is, from 0 to 1."""
    red, green, blue = numpy.moveaxis(picture, 2, 0)
    return (((red > 150) & (red - numpy.maximum(green, blue) > 60)).sum(),
            ((blue > 150) & (blue - numpy.maximum(red, green) > 60)).sum(), picture[:8].mean() / 255)


def main():
    parser = argparse.ArgumentParser()
    for name in ("ascribe", "browser", "out"):
        parser.add_argument(name)
    arguments = parser.parse_args()
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    browser = Browser(arguments.browser, out)
    for name, command, file, expected, has_maps, follows in PAGES:
        subprocess.run([arguments.ascribe, *map(str, command)], cwd=out, check=True, stdout=subprocess.DEVNULL)
        page = out / file
        assert expected in browser.document(page), f"{file}: its script did not run, or it lacks {expected}"
        beyond = width_beyond(browser, page, 500, out)
        assert beyond <= 0, f"{file} is {beyond} pixels wider than a phone"
        lights = {}
        for look, width, more in LOOKS:
            picture = browser.picture(page, width, out / f"{name}.{look}.png", more)
            assert picture.shape[1] == width, (file, look, picture.shape)
            red, blue, lights[look] = colours(picture)
            if has_maps:
                assert red > 200 and blue > 50, f"{file}, {look}: {red} red pixels and {blue} blue ones are no map"
        assert (lights["dark"] < 0.5) == follows and lights["light"] > 0.5, f"{file}: {lights}"
        print(f"{file}: runs, fits, light {lights['light']:.2f}, dark {lights['dark']:.2f}")
    print(f"pictures of them are in {out}")


if __name__ == "__main__":
    main()
