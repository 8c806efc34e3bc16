# name: drop_tenant
# result: none
# unproven: the dropping of a global was not recorded
drop global default::tenant
