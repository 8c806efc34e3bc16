# name: unique_violation
# result: none
insert Account { name := 'ada', balance := 1 }
