"""Supervised fine-tuning of a nanovlms model.

accelerate launch recipes/sft.py --config recipes/nanovlm-mini/sft.yaml [--any_key value]
"""

from nanovlms_hf.training.sft import main

if __name__ == "__main__":
    main()
