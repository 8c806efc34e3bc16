# name: referenced
# result: none
delete Account filter .name = 'ada'
