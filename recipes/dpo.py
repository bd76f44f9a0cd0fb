"""Direct preference optimisation of a nanovlms model.

accelerate launch recipes/dpo.py --config recipes/nanovlm-mini/dpo.yaml [--any_key value]
"""

from nanovlms_hf.training.dpo import main

if __name__ == "__main__":
    main()
