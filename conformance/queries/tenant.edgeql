# name: tenant
# result: optional str
select global tenant
