"""How strong a recipe is: damaged pictures against their clear ones, as a row of the table in the documentation.

artrestore damage clear/ damaged/ --recipe painting --variants 2 --seed 1
python bench/recipe_strength.py damaged/ clear/
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np

from artrestore.scoring import score_folders


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how strong a recipe is.")
    parser.add_argument("damaged", type=Path)
    parser.add_argument("clear", type=Path)
    arguments = parser.parse_args()
    scores = [score.after for score in score_folders(arguments.damaged, arguments.clear)]
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(arguments.damaged.rglob("*.json"))]
    psnr = np.array([score.psnr for score in scores if math.isfinite(score.psnr)])
    low, high = np.percentile(psnr, [10, 90])
    print(
        f"| `{records[0]['recipe']}` | {psnr.mean():.1f} ({low:.1f}, {high:.1f}) "
        f"| {np.mean([score.ssim for score in scores]):.3f} | {len(scores) - len(psnr)} of {len(scores)} "
        f"| {np.mean([len(record['steps']) for record in records]):.1f} "
        f"| {100 * np.mean([record['lost'] for record in records]):.2f} |"
    )


if __name__ == "__main__":
    main()
