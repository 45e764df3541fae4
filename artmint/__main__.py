"The console script as `python -m artmint`, for where the folder of scripts isn't on the PATH."

from artmint.console.cli import main

if __name__ == "__main__":  # whatever imports every module of the package starts nothing
    main()
