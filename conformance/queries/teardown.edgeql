# name: teardown
# result: none
# unproven: of these only drop type was recorded, alone
drop type Claim; drop type Transfer; drop type Account; drop scalar type Color; drop global default::tenant;
