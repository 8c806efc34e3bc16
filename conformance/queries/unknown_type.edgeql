# name: unknown_type
# result: many {name: str}
select Nothing
