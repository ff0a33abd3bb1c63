"""Class numbers of the label maps: LIP's twenty, and belongings."""

BACKGROUND, HAT, HAIR, UPPER, PANTS, JUMPSUIT, SKIRT, FACE = 0, 1, 2, 5, 9, 10, 12, 13
LEFT_ARM, RIGHT_ARM, LEFT_LEG, RIGHT_LEG, LEFT_SHOE, RIGHT_SHOE = 14, 15, 16, 17, 18, 19
BELONGINGS = 20
CLASS_COUNT = 21

NAMES: dict[int, str] = {
    BACKGROUND: "background",
    HAT: "hat",
    HAIR: "hair",
    UPPER: "upper clothes",
    PANTS: "trousers",
    JUMPSUIT: "jumpsuit",
    SKIRT: "skirt",
    FACE: "face",
    LEFT_ARM: "left arm",
    RIGHT_ARM: "right arm",
    LEFT_LEG: "left leg",
    RIGHT_LEG: "right leg",
    LEFT_SHOE: "left shoe",
    RIGHT_SHOE: "right shoe",
    BELONGINGS: "belongings",
}

# Classes as studies report them. Arms belong to the upper body, dungarees and skirts to the legs.
GROUPS: dict[str, tuple[int, ...]] = {
    "head": (HAT, HAIR, FACE),
    "upper": (UPPER, LEFT_ARM, RIGHT_ARM),
    "legs": (PANTS, JUMPSUIT, SKIRT, LEFT_LEG, RIGHT_LEG),
    "shoes": (LEFT_SHOE, RIGHT_SHOE),
    "belongings": (BELONGINGS,),
}
