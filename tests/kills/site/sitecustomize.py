"Read by every interpreter that has this folder on its path."

import os

if os.environ.get("ARTMINT_TEST_KILLS"):
    from tests.kills.points import arm_from_environment

    arm_from_environment()
