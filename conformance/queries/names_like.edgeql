# name: names_like
# args: pattern str
# result: many {name: str}
select Account { name } filter .name ilike <str>$0
