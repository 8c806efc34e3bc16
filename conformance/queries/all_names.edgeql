# name: all_names
# result: many {name: str}
select Account { name }
