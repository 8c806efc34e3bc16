# name: page_of_names
# result: many {name: str}
select Account { name } order by .name offset 1 limit 3
