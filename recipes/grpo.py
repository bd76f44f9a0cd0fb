"""Learning from rewards (GRPO) with a nanovlms model.

accelerate launch recipes/grpo.py --config recipes/nanovlm-mini-modern/grpo.yaml [--any_key value]
"""

from nanovlms_hf.training.grpo import main

if __name__ == "__main__":
    main()
