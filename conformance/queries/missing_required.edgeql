# name: missing_required
# result: none
insert Account { name := 'dora' }
