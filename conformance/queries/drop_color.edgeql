# name: drop_color
# result: none
# unproven: the dropping of a scalar type was not recorded
drop scalar type Color
