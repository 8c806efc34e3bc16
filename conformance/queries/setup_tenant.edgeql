# name: setup_tenant
# result: none
create global default::tenant -> std::str
